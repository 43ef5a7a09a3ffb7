"""Given names and surnames by which a name is told from a clinical word, without accents; and words that are no names.

Common names of Brazil (IBGE's census of names counts the given ones), Portugal, Spain, Spanish America and the United States.
"""

GIVEN = frozenset(
    """
    abigail adalberto adao adelaide adelia ademar ademir adilson adriana adriano adrian afonso agatha agnaldo ailton alan albert alberto
    alessandra alessandro alex alexandra alexandre alexander alfredo alice aline alison allan allison altair alvaro amanda amber amelia
    americo amy ana anderson andre andrea andreia andressa andrew angel angela angelica angelo anita ann anna anne anthony antonia antonio
    aparecida aparecido ariana ariane armando arnaldo arthur artur ashley augusto aurea aurora austin barbara beatriz ben benedita benedito
    benjamin bernardo beth bianca brandon brenda brian bruna bruno bryan caio camila camile carina carl carla carlos carmem carmen carol
    carolina caroline catarina catherine cauan cecilia celia celso charles charlotte cheryl chris christian christina christine christopher
    cicera cicero cintia clara clarice claudemir claudia claudio claudiane clayton cleber cleide cleiton cleonice cleusa conceicao cristiane
    cristiano cristina cynthia daiane dalva damiao daniel daniela daniele danielle danilo darlene dave david davi debora deborah deise denis
    denise dennis diana diane diego dirce diogo divina djalma domingos donald donna dora dorothy douglas dulce dylan ed eder edgar edilson
    edimilson edivaldo edmilson edna edson eduarda eduardo edvaldo edward elaine elena elenice eliana eliane elias elisa elisabete elizabeth
    elisangela elizangela eliza ellen elton elza emanuel emerson emily emilia emma enzo erica erick erik ester esther eric ethan eugenio eunice
    eva evandro evelyn expedito ezequiel fabiana fabiano fabio fabiola fabricio fatima felipe fernanda fernando filipe flavia flavio francieli
    frances francisca francisco frank frederico gabriel gabriela gary geovana geraldo george geralda gerson gilberto gilmar gilson giovana
    giovanna giovanni gisele giselle givaldo gladys gloria graca grace gracas greg gregory guilherme gustavo hannah harold heather heitor helen
    helena helio heloisa henrique henry hugo humberto iara igor ines ingrid irene iris isaac isabel isabela isabella isabelle isadora ismael
    israel iva ivan ivana ivanilda ivete ivone ivonete izabel jack jacob jacqueline jaime jair jailson james jamie jane janaina janet janice jaqueline jason
    jean jeferson jefferson jeff jeffrey jennifer jeremy jerry jessica jesse joan joana joanna joao joaquim joaquina joe joel joelma john jonas
    jonatas jonathan jordan jorge jose josefa joseane josiane joseph josh joshua josue joyce juan juarez judith jucilene judy julia juliana juliano
    julie julio junior juraci jurandir justin karen karina karla katherine kathleen kathryn katia katie keila keith kelly kenneth kevin kimberly
    kyle laercio laila lais lara larissa larry laura lauren laurinda lavinia lazaro leandra leandro leila leo leonardo leonor leonel leonice leticia
    levi lia lidia lidiane ligia lilian liliane linda lindalva lisa livia lorena lorenzo lori louis lourdes lourenco lourival luan luana lucas
    lucia luciana luciane luciano lucilene lucimar lucineia lucy luis luisa luiz luiza luzia lydia madalena madison magali maicon maira malu manoel
    manuel manuela mara marcel marcela marcelo marcia marciano marcio marco marcos margareth margaret margarida maria mariana mariane maria marie
    marilene marilia marilda marina marinalva mario marisa maristela mariza mark marlene marli marta martha martin martinha mary mateus matheus
    matthew mauricio mauro megan meire melissa michael michele michelle mickey miguel miranda milena milton mirella miriam moacir moises monica
    murilo nadia nadir nair nancy natalia natalie natan nathalia nathan neide neiva nelson neusa newton nicholas nicolas nicole nilda nilson nilton
    nilza nivaldo noah noel noemi odair odete olga olinda olivia olivio orlando osmar osvaldo oswaldo otavio pablo pamela paola pat patricia
    patrick paul paula paulo pedro peter philip pietro priscila quiteria rachel rafael rafaela railda raimunda raimundo ralph ramon raquel raul
    rebeca rebecca regina reginaldo regiane reinaldo renan renata renato ricardo richard rita roberta roberto robert robson rodrigo roger
    rogerio romulo ronald ronaldo ronan rosa rosana rosane rosangela roseane roseli rosemary rosilda rosilene rosimeire roy rubens ruben ruth
    ryan samanta samantha samara samuel sandra sandro sara sarah scott sean sebastiana sebastiao selma sergio severina severino sharon
    sheila shirley sidnei sidney silas silvana silvania silvia silvio simone sofia solange sonia sophia stefany stella stephanie stephen
    steve steven sueli suelen susan susana suzana tainara tais talita tamires tania tatiana tatiane telma teresa terezinha teresinha terry
    thais thales thaynara theo theresa thiago thomas tiago tiffany tim timothy tobias tomas tony tyler ubirajara ulisses valdeci valdemar valdir
    valdirene valeria valentina valter vanda vander vanderlei vanessa vania vera veronica vicente vicentina victor victoria vilma vinicius
    virginia vitor vitoria viviane vivian wagner waldemar waldir wallace walter wanda wanderley wanderson washington wellington wendy wesley
    wescley william willian wilma wilson yago yara yasmin yolanda yuri betty carolyn janice marilyn doris kathy beverly tammy wayne eugene bobby johnny randy howard billy
    bruce ernest todd craig shawn clarence vincent danny bradley nathaniel curtis marcus calvin derek jerome lynn mildred norma phyllis annie tina
    zachary zelia zeneide zenilda zilda zoe zuleide
    adela adolfo agustin ainhoa aitor alejandra alejandro alfonso almudena alonso amalia amparo ander antonella arturo asier
    asuncion begona belen benito blanca borja breno candela carlota catalina caua cesar concepcion cristobal damian davidson
    deivid dionisio elvira emilio encarnacion enrique ernesto esteban estela eugenia eusebio evaldo fabrizio federico felix
    fermin gaspar genivaldo gerardo gildo gonzalo gregorio guillermo hector herminia hernan horacio ignacio iker
    ildefonso imanol inigo inmaculada iracema isidro itziar ivanildo jacinto jacobo javier jesus jonathas jordi josefina josep
    juana julian jurema kaua kauan lucio luzinete macarena maite manolo marcelino mariano marisol mateo matias maximo mercedes
    miren mirian montserrat narciso natividad nayara nerea noelia nuria octavio oriol oscar otto paloma pascual pau paz pere
    pilar purificacion raissa ramiro rayssa remedios reyes rocio rodolfo roman romeu romildo rosario rosivaldo ruan salvador
    santiago saulo sergi silvino socorro soledad suellen taina tarcisio tereza trinidad tulio uelinton valentin victoriano
    virgilio wallison walmir wilian xabier xavier
    """.split()
)
SURNAMES = frozenset(
    """
    abreu adams aguiar albuquerque alencar allen almeida alvarenga alves amaral amorim anderson andrade antunes aparecida araujo arruda assis
    assuncao azevedo baker barbosa barreto barros batista bastos bezerra bispo bittencourt borges botelho braga brandao brito brown bueno
    cabral caldeira camargo camacho campbell campos cardoso carneiro carter carvalho castro cavalcante cavalcanti chagas chaves clark coelho collins
    conceicao cordeiro correa correia costa coutinho cruz cunha damasceno davis dantas dias diaz domingues duarte edwards esteves evans
    evangelista farias faria fernandes fernandez ferraz ferreira figueiredo fischer flores fogaca fonseca fontes franca franco freire freitas frota
    furtado gama garcia gomes gomez goncalves gonzaga gonzalez goulart gouveia green guedes guerra guimaraes hall harris hernandez hill holanda
    jackson jesus johnson jones junqueira king lacerda leal leao lee leite lemos lewis lima lins lira lobo lopes lopez lourenco luz macedo
    machado maciel madureira magalhaes maia malta marinho marques martin martinez martins mascarenhas matos mattos medeiros meireles melo mello
    mendes mendonca menezes mesquita miller miranda mitchell monteiro moore moraes morais morais moreira morgan morris mota moura muller
    munhoz nascimento nelson neto neves nogueira novaes nunes nunez oliveira pacheco padilha paiva parker passos paula paz pedrosa peixoto
    penha pereira peres perez pessoa phillips pimenta pimentel pinheiro pinto pires porto prado queiroz quintana ramos rangel rego reis
    resende rezende ribeiro roberts robinson rocha rodrigues rodriguez rosa ruiz sa sales salgado sampaio sanches sanchez santana santiago
    santos saraiva scott serra silva silveira simoes siqueira smith soares sodre sousa souto souza tavares taylor teixeira teles thomas
    thompson toledo torres trindade turner uchoa vale valente vargas vasconcelos vaz veiga veloso viana vidal vieira vilela villela walker
    watson wilson wright xavier young ross powell stewart cook bell ward cox bailey reed kelly howard brooks sanders bennett barnes henderson coleman
    jenkins perry patterson hughes washington butler simmons foster russell griffin hayes myers ford hamilton graham sullivan wallace cole
    owens reynolds fisher ellis harrison gibson mcdonald marshall ortiz murray freeman webb simpson stevens tucker porter hicks crawford
    boyd mason kennedy warren dixon burns gordon shaw holmes robertson daniels palmer nichols grant ferguson hawkins dunn perkins hudson spencer
    gardner payne pierce matthews arnold wagner willis watkins olson carroll duncan snyder cunningham bradley andrews harper riley
    armstrong carpenter weaver greene lawrence elliott chavez sims peters franklin lawson peterson gutierrez bryant johnston kowalski feitosa
    feitoza sant'anna
    aguilar alarcon alcaraz alonso alvarez aranda arias arroyo avila ballesteros benavente benitez bermudez bernal blanco blasco
    bravo caballero cabello cabrera calvo camara cano carmona carrasco castillo cervera cortes crespo cuellar delgado dominguez
    duran escudero espinosa esteban estevez fajardo ferrer fuentes gallardo gallego galvez garrido gil gimenez guerrero guillen
    guzman heredia herrera herrero hidalgo hurtado ibanez iglesias izquierdo jimenez jurado lara lazaro leon lorenzo losada
    lozano luque manzano marin marti medina menendez merino miguel millan molina montero montes montoya mora morales moreno
    munoz navarro nicolas nieto ochoa ojeda olivares olmedo ordonez orozco ortega otero padron palacios pardo paredes parra
    pascual pastor pena perea pineda pizarro ponce puig quesada quintero ramirez redondo rey rico rincon rios rivas rivera
    robles roca rojas roldan roman romero rosales rubio rueda saez salas salazar salinas salvador sandoval sanz segura serrano
    sierra soler soria soriano soto suarez tapia tejada torre trujillo urbano valdes valencia valero vallejo varela vazquez vega
    velasco velazquez velez vera vicente villalba villanueva villar zamora zapata
    """.split()
)
# Words with a capital that follow a title or a label without being a name.
NO_NAMES = frozenset(
    """
    about ask cancer doctor universe visits world abdome abdomen abordagem adulto adulta alerta alta and are aps assistant associate bmj cardiac cardiaco care center centro
    child classe clinica clinical clinico colaborativo comatoso com como crianca critica critico curated da de diabetica diabetico do does
    doenca dor e education em encontra enfermaria enfermeira enfermeiro eupneico exame family feminina feminino for from gave general generico
    genito gestante glasgow gleason global grave has he health her his hipertensa hipertenso hospital house how i icu idosa idoso if in information
    interna internada internado interno is it killip lucida lucido los masculina masculino md medical medicina medico mobile nao nega neg
    negativo no normal not obeso of office on or orientada orientado para pediatrica pediatrico pediatrician physician plan popular portal positivo
    positive practitioner presents primary protection qual que quem queixa refere regular relata reported resident rh rn safety said says
    sem she social sobre specialist staff state states study surgeon surgery thank that the their they this to traqueostomizado um uma
    university utero uti veno venoso vitamina was were what when who with x yes you your patient paciente hello hi so ok okay and but well
    dr dra sr sra crm coren cro crefito cremesp crp crf rqe cpf cnpj cns rg cep nif dni plaza paseo calle avda avenida urbanizacion servicio unidad departamento apartado correo email mail rua travessa alameda setor ambulatorio
    thanks good right sure please now my me we can could would do did have had let any there then alright great
    """.split()
)
